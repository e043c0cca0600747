# What the tests of faults need: the programs of tests/support, and the daemon with its fail points (docs/failpoints.md).

TOOLS := $(BUILD)/tools/faultproxy $(BUILD)/tools/pingload
$(BUILD)/tools/%: $(BUILD)/obj/tests/support/%.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -levent
tools: $(TOOLS)
fault-build:
	+@$(MAKE) --no-print-directory BUILD=$(BUILD)/fault SEAMS=-DCS_FAILPOINTS $(BUILD)/fault/cachesyncd

check-fault: check-packages ## of make check the faults alone: kill matrix, links, servers, refusals, a short random campaign
	+$(MAKE) --no-print-directory all unit tools fault-build
	BUILD=$(abspath $(BUILD)) sh tests/run fault/
fault: check-packages ## FAULT_S=600 SEED=n: a random campaign of kills and faults, the history checked after each round
	+$(MAKE) --no-print-directory all tools fault-build
	BUILD=$(abspath $(BUILD)) tests/fault/campaign
soak: check-packages ## SOAK_S=1800: mixed load with faults; memory and descriptors must stay flat
	+$(MAKE) --no-print-directory all tools fault-build
	BUILD=$(abspath $(BUILD)) tests/fault/campaign soak
bench-queue: ## jobs a second, round trips, memory and CPU at rest, beside bare Redis
	+$(MAKE) --no-print-directory all tools
	BUILD=$(abspath $(BUILD)) tests/bench/bench-queue
model: check-packages ## check the model of a job's life with spin, exhaustively (about 3 GB, minutes)
	tests/model/run -DEXPIRIES=1

.PHONY: check-fault tools fault-build fault soak bench-queue model
