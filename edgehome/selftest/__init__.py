"""What can only be measured on the board itself, as one JSON that a user can post.

docs/reference/boards.md has its keys. It holds nothing personal: no names of hosts, users, files or
places, no identity, and why something was not measured as a problem's code alone.
"""
