"""How long the texts of a post can be. Apart from the tables: processes that only turn texts load no database."""

BODY_MAX = 20_000
WARNING_MAX = 100
