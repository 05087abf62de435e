"""Facts, master data, charges and money: the values that the rules work on."""
