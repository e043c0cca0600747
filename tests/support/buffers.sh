# shellcheck shell=bash
# Rules with the same bands and rankings at several widths of the buffer, side by side. After lib.sh.
#
# buffer_rules "0 5 10" "0 5" "0 25": on standard output a rules file with each band at those widths in percent and top_100 and
# top_500 at those widths in ranks. Keys end in the width: mid_cap_2_5, top_100_0.
buffer_rules() {
    jq --arg bands "$1" --arg top_100 "$2" --arg top_500 "$3" '
        def at($width): ("_" + ($width | sub("\\."; "_"))) as $tail | .key += $tail | .title += $tail | .outputs[].key += $tail
                        | if $width == "0" then . else .buffer = ($width | tonumber) end;
        def widths($list): . as $u | $list | split(" ")[] as $w | $u | at($w);
        .limits.stale_days = 3650
        | .universes = [.universes[] | if .family == "market_cap" then widths($bands)
                                       elif .key == "top_100" then widths($top_100)
                                       elif .key == "top_500" then widths($top_500) else empty end]' "$ROOT/deploy/rules/universes.json"
}
