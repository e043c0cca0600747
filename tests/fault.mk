# What the tests of faults need: the programs of tests/support, and the daemon with its fail points (docs/failpoints.md).

TOOLS := $(BUILD)/tools/faultproxy
$(BUILD)/tools/%: $(BUILD)/obj/tests/support/%.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -levent
tools: $(TOOLS)
fault-build:
	+@$(MAKE) --no-print-directory BUILD=$(BUILD)/fault SEAMS=-DCS_FAILPOINTS $(BUILD)/fault/cachesyncd

.PHONY: tools fault-build
