"""What a person or a schedule asks for, shared by command line, console and API."""
