"""`edgehome test-rules`: rules judged on scores that a person wrote down."""
