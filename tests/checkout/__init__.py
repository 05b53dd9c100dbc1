"""What a checkout may make this program do: nothing but have content."""
