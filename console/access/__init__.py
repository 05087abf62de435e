"""Who is asking, what they may do, and what they did."""
