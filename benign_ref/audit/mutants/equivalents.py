"""Changes by the syntax tree that are no wrong version of anything, each with the reason; argued one by one.

(file, the line as it is, the line as it became): why no input tells the two apart.
"""

EQUIVALENT: dict[tuple[str, str, str], str] = {}
