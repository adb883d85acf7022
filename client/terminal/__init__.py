"""What a person sees of a conversation in a terminal."""
