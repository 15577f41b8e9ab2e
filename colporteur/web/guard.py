"""What stands before every page: content policy, language of the person, navigation."""
