"""The hot path of the priority heap and queues."""
