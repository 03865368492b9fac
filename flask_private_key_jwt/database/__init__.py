"""How an SQL database is reached: engine, connections, deadlines. What is kept there is the business of the stores."""
