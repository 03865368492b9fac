"""What both servers put into their answers: refusals, and what pages of other origins may read."""
