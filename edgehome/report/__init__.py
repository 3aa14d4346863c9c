"""What happened in a replay, as one page that needs nothing else: `edgehome replay --report`."""
