"""`edgehome replay`: clips, or recorded scores, through rules; no broker, no process, no clock."""
