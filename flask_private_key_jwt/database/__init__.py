"""Access to an SQL database: engine, connections, deadlines. The stores decide what is stored in it."""
