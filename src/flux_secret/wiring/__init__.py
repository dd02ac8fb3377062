"""Settings → connected rooms: the only modules that know every concrete class.

`agent` connects what delivers, `doctor` looks at what that needs, `stores` opens what a person
keeps. Nothing is imported here, so that a person's command does not wait for what only the agent
needs.
"""
