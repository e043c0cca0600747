# What of a value (the input) does not hold against a schema of an OpenAPI document: one line each.
#   jq -r --slurpfile d openapi.json --arg schema '#/components/schemas/Job' -f validate.jq
def at($d): if type == "object" and has("$ref") then (.["$ref"] | ltrimstr("#/") | split("/")) as $p | $d | getpath($p) | at($d) else . end;
def kinds: type as $t | if $t == "number" and floor == . then ["number", "integer"] else [$t] end;
def check($reference; $d; $where):
    . as $v | kinds as $kinds | ($reference | at($d)) as $s
    | (if $s.type and ([$s.type] | flatten | any(. as $t | $kinds | index($t)) | not) then "\($where): \($kinds[-1]) is no \($s.type)" else empty end),
      (if $s.enum and ($s.enum | any(. == $v) | not) then "\($where): \($v) is none of \($s.enum)" else empty end),
      (if ($s | has("const")) and $s.const != $v then "\($where): \($v) is not \($s.const)" else empty end),
      (if $s.pattern and ($v | type) == "string" and ($v | test($s.pattern) | not) then "\($where): \($v) does not match" else empty end),
      (if $s.format == "date-time" and ($v | type) == "string" and ($v | test("^[0-9-]{10}T[0-9:]{8}([.][0-9]+)?Z$") | not) then "\($where): \($v) is no time" else empty end),
      (if $s.minimum and ($v | type) == "number" and $v < $s.minimum then "\($where): \($v) is too small" else empty end),
      ($s.allOf // [] | .[] as $part | $v | check($part; $d; $where)),
      (if ($v | type) == "object" then
          ($s.required // [] | .[] | select(. as $k | $v | has($k) | not) | "\($where).\(.) is missing"),
          ($v | keys[] as $k | ($s.properties[$k]) as $p
              | if $p then $v[$k] | check($p; $d; "\($where).\($k)")
                elif $s.additionalProperties == false then "\($where).\($k) is not described" else empty end)
       else empty end),
      (if ($v | type) == "array" and $s.items then range(0; length) as $i | $v[$i] | check($s.items; $d; "\($where)[\($i)]") else empty end);
check({"$ref": $schema}; $d[0]; "")
