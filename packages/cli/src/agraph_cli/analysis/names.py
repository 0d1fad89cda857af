"""What to call things in a sentence: the words of core, for the reports and the commands."""

from agraph.reduction import Labels, is_machinery, kind_word, listed, plural, user_site

__all__ = ["Labels", "is_machinery", "kind_word", "listed", "plural", "user_site"]
