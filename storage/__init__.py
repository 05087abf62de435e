"""PostgreSQL: the pool, and the migrations of every schema."""
