"""The Tryton module `hourstream`: charges on invoice lines, each exactly once, and how invoices of charges differ.

Installed beside trytond, never beside Hourstream: it runs in Tryton's own process and knows nothing of the stream.
"""
