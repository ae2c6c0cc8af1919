"""``make compare``: the three applications under the same load, and every target of the mission with its figures."""
