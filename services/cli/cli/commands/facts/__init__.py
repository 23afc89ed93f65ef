"""Commands on the facts in Kafka: what can be made of them, and who vouches for them."""
