"""What is served and how its objects look.

`kinds.json` is made by `tools/cluster/extract_schema.py`. Its notation of a type:

- `s` text, `n` integer, `f` number, `b` boolean, `y` bytes in base64, `t`/`T` time, `q` quantity,
  `i` integer or text, `x` anything as one value, `j` anything;
- `#core.v1.PodSpec` a struct by name, `#!…` the same as one value;
- `{"l": item, "k": [keys], "p": key}` a list: `k` where items are merged (`[]` a set), `p` the key
  that a strategic merge patch uses (`""` a set);
- `{"m": value, "a": 1}` a map, `a` where it is one value;
- a struct is `{"f": {name: [type, flags, numbers, default]}, "a": 1}`, flags as Go has them: `p` a
  pointer, `o` omitempty, `z` omitzero, and `r` for the patch strategy retainKeys; numbers are its
  place in protobuf, first those of the embedded structs that it stands in.
"""
