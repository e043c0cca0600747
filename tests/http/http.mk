# Clients that the tests of the adapter use, its benchmark, and the linter of its description.

HTTP_TOOLS := $(patsubst tests/http/%.c,$(BUILD)/http/%,$(call src,tests/http))
$(BUILD)/http/%: $(BUILD)/obj/tests/http/%.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -levent
http-tools: $(HTTP_TOOLS)
check-installed: http-tools
.PHONY: http-tools

lint-openapi: ## lint worker/http/openapi.json (brings a linter from npm)
	@sh deploy/packages.sh $$(command -v npm >/dev/null || echo nodejs npm)
	npx --yes @redocly/cli@2 lint --skip-rule=info-license-url worker/http/openapi.json
.PHONY: lint-openapi

BENCH_TOOLS := $(BUILD)/bench/evhttp_hello
$(BENCH_TOOLS): $(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -levent
bench-http: ## the adapter under load, beside a bare evhttp server and Redis (brings wrk)
	@sh deploy/packages.sh $(PACKAGES) redis-server redis-tools curl jq wrk
	+$(MAKE) --no-print-directory all $(BENCH_TOOLS)
	BUILD=$(abspath $(BUILD)) tests/bench/bench-http
.PHONY: bench-http
