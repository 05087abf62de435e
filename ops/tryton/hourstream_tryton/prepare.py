"""Make a new Tryton database ready to invoice: companies with books, taxes, currencies, users and their keys.

    python -m hourstream_tryton.prepare CONFIG_FILE DATABASE < description.json

Run by Tryton's own Python; the description is that of `devstack/tryton_company.py`. What is there already stays
as it is, so that a second run adds only what is missing. Secrets come on standard input and are never printed.
"""

import datetime as dt
import json
import sys
from decimal import Decimal

from trytond import config

CHART = ("account", "account_template_root_en")
LONG_AGO = dt.date(1990, 1, 1)


def main(config_file, database, description):
    """Do it all in one transaction: a database is ready or as it was."""
    config.update_etc(config_file)
    from trytond.pool import Pool
    from trytond.transaction import Transaction, TransactionError

    Pool.start()
    pool = Pool(database)
    pool.init()
    extras = {}
    while True:
        with Transaction().start(database, 0, context={"language": "en"}, **extras) as transaction:
            try:
                Preparation(pool, description).make()
            except TransactionError as error:  # a table must be locked before anything else
                transaction.rollback()
                error.fix(extras)
                continue
            return


class Preparation:
    """One description, made so in the database of the present transaction."""

    def __init__(self, pool, description):
        self.pool, self.description = pool, description

    def make(self):
        """Whatever of the description is missing."""
        currencies = self._currencies()
        companies = [self._company(each, currencies) for each in self.description["companies"]]
        self._users(companies)

    def _one(self, model, *domain):
        found = self.pool.get(model).search(list(domain), limit=1)
        return found[0] if found else None

    def _data(self, module, name):
        return self.pool.get("ir.model.data").get_id(module, name)

    def _currencies(self):
        Currency = self.pool.get("currency.currency")
        currencies = {}
        for each in self.description["currencies"]:
            found = self._one("currency.currency", ("code", "=", each["code"]))
            if found is None:
                found = Currency(name=each["code"], symbol=each["code"], code=each["code"], digits=each["digits"])
                found.rounding = Decimal(1).scaleb(-each["digits"])
                found.rates = [self.pool.get("currency.currency.rate")(date=LONG_AGO, rate=Decimal(each["rate"]))]
                found.save()
            currencies[each["code"]] = found
        return currencies

    def _company(self, description, currencies):
        from trytond.transaction import Transaction

        Party, Company = self.pool.get("party.party"), self.pool.get("company.company")
        identity = f"legal-entity:{description['legal_entity']}"
        company = self._one("company.company", ("party.hourstream_id", "=", identity))
        if company is None:
            address = self.pool.get("party.address")(country=self._country(description["country"]))
            party = Party(name=description["name"], hourstream_id=identity, addresses=[address])
            party.save()
            company = Company(party=party, currency=currencies[description["currency"]], timezone="UTC")
            company.cancel_invoice_out = True
            company.save()
        root = self.pool.get("res.user")(0)
        root.companies, root.company = (*root.companies, company), company
        with Transaction().set_context(company=company.id, companies=[company.id]):
            Books(self, company).make()
        return company

    def _country(self, code):
        Country = self.pool.get("country.country")
        found = self._one("country.country", ("code", "=", code))
        if found is None:
            found = Country(name=code, code=code)
            found.save()
        return found

    def _users(self, companies):
        User, Application = self.pool.get("res.user"), self.pool.get("res.user.application")
        admin = self._one("res.user", ("login", "=", "admin"))
        admin.password = self.description["admin_password"]
        admin.companies, admin.company = companies, companies[0]
        admin.save()
        for login, group in (("hourstream-delivery", "group_delivery"), ("hourstream-payment", "group_payment")):
            user = self._one("res.user", ("login", "=", login)) or User(login=login, name=login)
            user.groups = [self._data("hourstream", group)]
            user.companies, user.company = companies, companies[0]
            user.company_filter = "all"  # else it sees those of the first company alone
            if group == "group_payment":
                user.password = self.description["payment_password"]
            user.save()
            if group == "group_delivery":
                key = self.description["delivery_key"]
                if self._one("res.user.application", ("key", "=", key)) is None:
                    Application.create([{"user": user.id, "application": "rest", "key": key}])


class Books:
    """The books of one company: chart, periods, numbers, taxes and the way payments come in."""

    def __init__(self, preparation, company):
        self.preparation, self.company = preparation, company
        self.pool, self.description = preparation.pool, preparation.description
        self._one = preparation._one

    def make(self):
        """Whatever is missing of them."""
        if self._one("account.account", ("company", "=", self.company.id)) is None:
            self._chart()
            self._defaults()
            self._services()
            self._payment_method()
        for year in self.description["years"]:
            self._year(year)
        for category, percent in self.description["taxes"]:
            self._tax(category, Decimal(percent) / 100)

    def account(self, code):
        """The account of the universal chart with that number."""
        return self._one("account.account", ("company", "=", self.company.id), ("code", "=", code))

    def _chart(self):
        CreateChart = self.pool.get("account.create_chart", type="wizard")
        session, _, _ = CreateChart.create()
        wizard = CreateChart(session)
        wizard.account.account_template = self.preparation._data(*CHART)
        wizard.account.company = self.company
        wizard.transition_create_account()
        wizard.properties.company = self.company
        wizard.properties.account_receivable = self.account("1.2.1")
        wizard.properties.account_payable = self.account("2.1.1")
        wizard.properties.category_account_revenue = self.account("4.2.2")
        wizard.properties.category_account_expense = self.account("5.1.1")
        wizard.transition_create_properties()
        CreateChart.delete(session)

    def _defaults(self):
        Configuration = self.pool.get("account.configuration")
        configuration = Configuration(1)
        configuration.tax_rounding = "document"
        exchange = self.account("6.2.1")  # gain or loss in foreign currency
        configuration.currency_exchange_debit_account = configuration.currency_exchange_credit_account = exchange
        configuration.save()

    def _services(self):
        """Every product of Hourstream is of this accounting category, which has its own account in each company."""
        category = self._one("product.category", ("hourstream_id", "=", "services"))
        if category is None:
            category = self.pool.get("product.category")(name="Services", accounting=True, hourstream_id="services")
        category.account_revenue = self.account("4.2.2")  # services, recognised over time
        category.save()

    def _payment_method(self):
        Method = self.pool.get("account.invoice.payment.method")
        cash = self.account("1.1.1")
        journal = self._one("account.journal", ("type", "=", "cash"))
        Method(name="Bank", company=self.company, journal=journal, debit_account=cash, credit_account=cash).save()

    def _year(self, year):
        FiscalYear = self.pool.get("account.fiscalyear")
        where = (("company", "=", self.company.id), ("start_date", "=", dt.date(year, 1, 1)))
        if self._one("account.fiscalyear", *where) is not None:
            return
        fiscal = FiscalYear(name=str(year), company=self.company)
        fiscal.start_date, fiscal.end_date = dt.date(year, 1, 1), dt.date(year, 12, 31)
        fiscal.move_sequence = self._sequence("Account Move", f"Moves {year}", f"{year}-")
        invoices = self._sequence("Invoice", f"Invoices {year}", f"{year}-I-")
        credits = self._sequence("Invoice", f"Credit notes {year}", f"{year}-C-")
        numbers = self.pool.get("account.fiscalyear.invoice_sequence")(company=self.company)
        numbers.in_invoice_sequence = numbers.out_invoice_sequence = invoices
        numbers.in_credit_note_sequence = numbers.out_credit_note_sequence = credits
        fiscal.invoice_sequences = [numbers]
        fiscal.save()
        FiscalYear.create_period([fiscal])

    def _sequence(self, kind, name, prefix):
        Sequence = self.pool.get("ir.sequence.strict")
        sequence = Sequence(name=name, company=self.company, prefix=prefix, padding=5)
        sequence.sequence_type = self._one("ir.sequence.type", ("name", "=", kind))
        sequence.save()
        return sequence

    def _tax(self, category, rate):
        Tax = self.pool.get("account.tax")
        where = (("company", "=", self.company.id), ("hourstream_category", "=", category), ("rate", "=", rate))
        if self._one("account.tax", *where) is None:
            name = f"{category} {(rate * 100).normalize():f} %"
            account = self.account("6.3.4")  # sales taxes
            tax = Tax(name=name, description=name, company=self.company, type="percentage", rate=rate)
            tax.hourstream_category = category
            tax.invoice_account = tax.credit_note_account = account
            tax.save()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.load(sys.stdin))
