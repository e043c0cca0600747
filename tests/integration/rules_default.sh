#!/usr/bin/env bash
# The default rules against the lists that users rely on: themes with their tickers and titles, ETF families, bands, rankings, rows.
# shellcheck source=../support/lib.sh
. "$(dirname "$0")/../support/lib.sh"
FILE=$ROOT/deploy/rules/universes.json
CS=$BUILD/cachesync
rule() { jq -c --arg key "$1" "first(.universes[] | select(.key == \$key)) | $2" "$FILE"; }

like "$("$CS" rules check "$FILE")" ': valid, ' 'the file is valid'
is "$("$CS" --json rules check | jq -r .digest)" "$("$CS" --json rules check "$FILE" | jq -r .digest)" 'and is what is compiled in'
like "$(cd / && "$CS" rules check)" '^built-in rules: valid' 'the compiled-in rules work from any directory'

# ---- themes: title, tickers; selections of users are saved by these names
themes='AI: MSFT NVDA GOOGL AVGO PLTR AMD ADBE PANW CRWD INTC SNOW ZS
Biotech: AMGN GILD VRTX REGN BIIB INCY NBIX BMRN MRNA SRPT
Cloud: MSFT AMZN GOOGL ORCL CRM NOW ADBE WDAY SNOW DDOG ZS AKAM
Crypto: MSTR COIN HOOD MARA CORZ RIOT GLXY BTDR CLSK HUT SQ
Cybersecurity: PANW CRWD FTNT NET ZS OKTA CYBR S QLYS TENB
EV: TSLA GM F RIVN LCID BYD EVGO CHPT
Fintech: MELI FI PYPL COIN NU HOOD AFRM SOFI UPST SQ
Marijuana: CRON TLRY SNDL ACB CGC VFF GRWG HYFM
Quantum: MSFT NVDA GOOGL IBM INTC IONQ QBTS RGTI FORM
Robotics: NVDA TSLA ISRG ROK ZBRA TER SYM IRBT KSCP
Semi: NVDA AVGO AMD TXN QCOM AMAT LRCX INTC MRVL MCHP
Space: RTX BA LMT NOC RKLB ASTS PL SPCE'
is "$(jq -r '[.universes[] | select(.family == "theme")][:12][] | .title + ": " + (.select.symbols | join(" "))' "$FILE")" "$themes" 'twelve themes with their tickers, in this order'
while IFS=: read -r title tickers; do
    key=${title,,}
    is "$(rule "$key" '[.title, .select.asset, (.select | keys | join(" ")), .limit, .order, [.outputs[] | [.type, .name, .key, .shape]]]')" \
        "[\"$title\",\"stock\",\"asset symbols\",null,null,[[\"stock_universe\",\"themes\",\"$key\",\"stocks\"],[\"themes\",\"$title\",\"list\",\"tickers\"]]]" "theme $title:${#tickers} is two rows, by market cap"
done <<<"$themes"
is "$(jq -r '[.universes[] | select(.family == "theme")][12:] | map(.key) | join(" ")' "$FILE")" \
    'ai_ml_leaders biotech_innovators cloud_computing crypto_blockchain dividend_aristocrats esg_leaders fintech_disruptors green_energy technology_leaders' 'nine more themes'
is "$(jq -c '[.universes[] | select(.family == "theme")][12:] | map(select(.limit < 25 or .limit > 70 or .limit == null)) | length' "$FILE")" 0 'each with a limit from 25 to 70'
is "$(jq -c '[.universes[] | select(.family == "theme")][12:] | map(select((.title | ascii_downcase | gsub(" "; "_")) != .key)) | length' "$FILE")" 0 'titles in words'
is "$(rule technology_leaders '[.select, .limit, .order]')" '[{"asset":"stock","sectors":["Technology"]},25,null]' 'technology_leaders is the 25 largest of the sector'

# ---- ETF families
etfs='etf_broad_market|Broad Market ETFs|Total Stock Market, Total Market, S&P 500, Russell, Core|Bond, International, Emerging, Value, Growth, Technology, Sector
etf_growth|Growth ETFs|Growth|Bond, International
etf_value|Value ETFs|Value|Bond, International
etf_technology|Technology ETFs|Technology, Information Technology, Tech|Bond
etf_bonds|Bond ETFs|Bond, Aggregate, Treasury|
etf_international|International ETFs|International, Emerging Markets, EAFE, Developed Markets|Bond
etf_factor|Factor ETFs|Factor, Momentum, Quality, Min Vol, Low Vol|
etf_sectors|Sector ETFs|Select Sector, Sector|Bond
etf_commodities|Commodity ETFs|Gold, Silver, Oil, Commodity, Natural Gas|Miners
etf_all|All ETFs||'
is "$(jq -r '.universes[] | select(.family == "etf") | [.key, .title, (.select.name_any // [] | join(", ")), (.select.name_none // [] | join(", "))] | join("|")' "$FILE")" "$etfs" 'ten ETF families with their words'
is "$(jq -c '[.universes[] | select(.family == "etf") | select(.order != "symbol" or .limit or .select.asset != "etf" or
    (.outputs | map([.type, .name, .key, .shape])) != [["etf_universe", .title, .key, "tickers"], ["etf_universe", .title, .key + "_detailed", "etfs_detail"]])] | length' "$FILE")" 0 \
    'each by symbol, as a list and in detail'

# ---- the rest
is "$(jq -c '[.universes[] | select(.family == "market_cap") | [.key, .select.cap_min, .select.cap_max, .buffer]]' "$FILE")" \
    '[["mega_cap",200000000000,null,null],["large_cap",10000000000,200000000000,null],["mid_cap",2000000000,10000000000,null],["small_cap",300000000,2000000000,null],["micro_cap",50000000,300000000,null]]' 'five bands'
is "$(jq -c '[.universes[] | select(.family == "market_leader") | [.key, .limit]]' "$FILE")" \
    '[["top_10_stocks",10],["top_50",50],["top_100",100],["top_250",250],["top_500",500],["top_1000",1000],["top_2000",2000]]' 'seven rankings'
is "$(jq -c '[.universes[] | select(.per) | [.key, .per, .limit, .per_limit, .per_min, .outputs[].name]]' "$FILE")" \
    '[["top_10_{key}","sector",10,null,null,"sector_leaders"],["{key}","industry",15,20,3,"industry"]]' 'sectors and industries'
is "$(rule recent_ipos '[.select, .order, .exempt_from_shrink]')" '[{"asset":"stock","listed_within_days":30},"list_date",true]' 'new listings of 30 days'
is "$(rule combo_test '[.limit, .also.asset, (.also.symbols | join(" ")), [.outputs[] | [.type, .name, .key, .shape]]]')" \
    '[50,"etf","SPY QQQ IWM VTI VUG VTV MTUM VGT XLK XLF XLV XLE XLI XLP XLY AGG BND VEA EEM IEFA",[["stock_etf_combo","stock_etf_test","combo_test","tickers"],["stock_etf_combo","stock_etf_test","combo_test_detailed","combo_detail"]]]' 'the combination'
is "$(jq -c '[.universes[] | select(.family == "complete" or .family == "stats") | .outputs[] | [.type, .name, .key, .shape]]' "$FILE")" \
    '[["stock_universe","complete","all_stocks","stocks"],["etf_universe","complete","all_etfs","tickers"],["stock_stats","universe","summary","stats"]]' 'all stocks, all ETFs, statistics'
is "$(jq -c .limits "$FILE")" '{"stale_days":5,"min_close_share":0.8,"max_shrink":0.2,"shrink_min_members":20,"max_cap_change":0.15,"churn_warning":0.2,"significant_cap_move":0.05,"cap_jump_factor":2,"new_listing_rank":100}' 'the limits'
is "$("$CS" --json rules list | jq -r 'map(.universe) | join(" ")')" "$(jq -r '.universes | map(.key) | join(" ")' "$FILE")" 'rules list names them all'

# ---- the schema knows exactly what the program knows
SCHEMA=$ROOT/deploy/rules/universes.schema.json
keys_of() { # what the program says is known at a place
    echo "$1" >"$SCRATCH/r.json"
    "$CS" rules check "$SCRATCH/r.json" 2>&1 | sed -n 's/.*known here: //p' | tr ',' '\n' | tr -d ' ' | sort | tr '\n' ' '
}
schema_keys() { jq -r "$1 | keys_unsorted[]" "$SCHEMA" | sort | tr '\n' ' '; }
universe='"family":"theme","key":"k","title":"K","select":{"asset":"stock"},"outputs":[{"type":"stock_universe","name":"themes","key":"k","shape":"stocks"}]'
def() { jq -r --arg has "$1" '[paths(type == "object" and has("properties")) as $p | {p: $p, k: (getpath($p).properties | keys)}] | map(select(.k | index($has)))[0].p | map(if type == "string" then "[\"" + . + "\"]" else "[" + tostring + "]" end) | "." + join("")' "$SCHEMA"; }
is "$(keys_of '{"version":1,"zz":1}')" "$(schema_keys '.properties')" 'schema: the file'
is "$(keys_of '{"version":1,"limits":{"zz":1},"universes":[]}')" "$(schema_keys "$(def stale_days).properties")" 'schema: limits'
is "$(keys_of "{\"version\":1,\"universes\":[{$universe,\"zz\":1}]}")" "$(schema_keys "$(def per_limit).properties")" 'schema: a universe'
is "$(keys_of "{\"version\":1,\"universes\":[{${universe/\"asset\":\"stock\"/\"asset\":\"stock\",\"zz\":1}}]}")" "$(schema_keys "$(def any_of_lists).properties")" 'schema: a filter'
is "$(keys_of "{\"version\":1,\"universes\":[{${universe/\"shape\"/\"zz\":1,\"shape\"}}]}")" "$(schema_keys "$(def shape).properties")" 'schema: an output'

# ---- mistakes: the place and the remedy
mistake() { # JSON PATTERN NAME
    printf '%s' "$1" >"$SCRATCH/r.json"
    out=$("$CS" rules check "$SCRATCH/r.json" 2>&1)
    is "$?" 2 "$3: fails"
    like "$out" "$2" "$3"
    is "$(printf '%s\n' "$out" | wc -l)" 1 "$3: in one line"
}
mistake $'{"version":1,\n "universes":[}' ': 2:[0-9]+: .*correct the JSON there' 'a syntax error has line and column'
mistake '{"version":2,"universes":[]}' '/version: is not 1' 'a version'
mistake "{\"version\":1,\"universes\":[{${universe/\"stock\"\}/\"stock\",\"cap_min\":-1\}}}]}" '/universes/0/select/cap_min: is -1' 'a bad number has a JSON pointer'
mistake "{\"version\":1,\"universes\":[{$universe},{$universe}]}" '/universes/1: .*(is the row of|is that of) /universes/0 too' 'two universes of one name'
mistake "{\"version\":1,\"universes\":[{${universe/\"theme\"/\"sector\"}}]}" 'write to stock_universe/sector_leaders' 'a row that readers would not find'
mistake "{\"version\":1,\"universes\":[{${universe/\"key\":\"k\",\"title\"/\"key\":\"K!\",\"title\"}}]}" 'is no key; use lower-case' 'a bad key'
mistake "{\"version\":1,\"universes\":[{\"family\":\"sector\",\"per\":\"sector\",\"title\":\"T\",\"select\":{\"asset\":\"stock\"},\"key\":\"$(printf 'x%.0s' {1..60}){key}\",\"outputs\":[]}]}" 'leaves too little room for the value' 'a key without room for its value'
"$CS" rules check "$SCRATCH/none.json" >/dev/null 2>&1
is $? 1 'a file that is not there fails'
finish
