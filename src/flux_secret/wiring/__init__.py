"""Settings → connected rooms: the only modules that know every concrete class.

`agent` connects what delivers, `stores` what a person keeps. Nothing is imported here, so that a
person's command does not wait for what only the agent needs.
"""
