"""Model files as people handle them: `edgehome models list | show | verify | fetch`.

`catalogue` names public files, `download` and `fetch` bring one here, `folder` finds and describes
those that are here, `verify` tries one, and `commands` is the command line of it all.
"""
