/*
 * job - the life of two jobs, two workers, and what may go wrong between them.
 *
 * Job 1 asks for what job 0 does, so it joins job 0 while that waits (coalescing). A worker may die after any step and
 * comes back under a new name; a lease may run out at any moment, also under a worker that lives (a zombie); PostgreSQL
 * may drop a transaction; a sync may fail; somebody cancels job 0. Each is bounded, so that the runs end.
 *
 * The transitions between the lines "script NAME" and the end of their atomic step are those of worker/lua/NAME.lua;
 * tests/fault/model.sh holds the names together. Checked by `make model`: the assertions (no double effect, no double
 * announcement, no effect of a failed job), no deadlock, and the formula: every fair run ends with both jobs ended,
 * announced, and their entries acknowledged.
 */
#define JOBS 2
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef EXPIRIES
#define EXPIRIES 2
#endif
#ifndef FAILURES
#define FAILURES 1
#endif
#ifndef DROPS
#define DROPS 1
#endif
#define NOBODY 0

mtype:entry = { unread, held, gone };
mtype:status = { none, pending, running, completed, failed };

mtype:entry entry[JOBS] = unread;
mtype:status status[JOBS] = none;
byte owner[JOBS] = NOBODY;  /* consumer that has the entry in its pending list */
bool expired[JOBS] = false; /* nobody renewed the lease */
bool cancelled[JOBS] = false;
bool in_doubt[JOBS] = false; /* an attempt may have committed */
bool waits_for_0 = false; /* job 1 is attached to job 0, without an entry of its own */

bool row[JOBS] = false;    /* cache_sync_runs: the fence */
byte effects[JOBS] = 0;    /* commits that changed something */
byte triggered[JOBS] = 0;  /* sync_triggered sent */
byte announced[JOBS] = 0;  /* sync_complete sent */
byte transaction = NOBODY; /* who holds the advisory lock of the environment */

byte names = NOBODY; /* consumer names given out */
bool alive[DEATHS + 3] = false;
byte deaths = 0, expiries = 0, failures = 0, drops = 0;

/* What must not be forgotten: each of these switched off has a run that breaks an assertion (tests/fault/model.sh). */
#ifdef FORGET_CLOCK
#define LATE(j) false
#else
#define LATE(j) (!OWNS(j) || expired[j])
#endif
#ifdef FORGET_ROW
#define COMMITTED(j) (row[j] && !cancelled[j])
#else
#define COMMITTED(j) row[j]
#endif
#ifdef FORGET_DOUBT
#define SURE(j) true
#else
#define SURE(j) !in_doubt[j]
#endif
#ifdef FORGET_OWNER
#define MAY_FINISH(j) true
#else
#define MAY_FINISH(j) OWNS(j)
#endif

#define ENDED(j) (status[j] == completed || status[j] == failed)
#define OWNS(j) (entry[j] == held && owner[j] == me)
#define ACKNOWLEDGE(j) entry[j] = gone; owner[j] = NOBODY
#define MAY_DIE if :: atomic { deaths < DEATHS -> deaths++ }; goto dies :: skip fi

inline end_as(j, how)
{
    assert(!ENDED(j));
    status[j] = how;
    announced[j]++;
    assert(announced[j] == 1);
    assert(how == completed || effects[j] == 0)
}

proctype worker()
{
    byte me, j;
    bool done, late, sure;
    mtype:status outcome;

born:
    atomic { names++; me = names; alive[me] = true }
idle:
    atomic { j = 0; done = false; late = false; sure = true; outcome = none };
end_idle:
    if
    :: atomic { entry[0] == unread -> j = 0; entry[j] = held; owner[j] = me; expired[j] = false }
    :: atomic { entry[1] == unread -> j = 1; entry[j] = held; owner[j] = me; expired[j] = false }
    :: atomic { /* script takeover */
        entry[0] == held && owner[0] != me && expired[0] -> j = 0; owner[j] = me; expired[j] = false }
    :: atomic { /* script takeover */
        entry[1] == held && owner[1] != me && expired[1] -> j = 1; owner[j] = me; expired[j] = false }
    fi;
    MAY_DIE;

    atomic { /* script admit */
        done = false;
        if
        :: !OWNS(j) -> goto idle
        :: OWNS(j) && ENDED(j) && j == 0 && waits_for_0 -> outcome = status[j]; goto settles
        :: OWNS(j) && ENDED(j) && !(j == 0 && waits_for_0) -> ACKNOWLEDGE(j); goto idle
        :: OWNS(j) && status[j] == none ->
            triggered[j]++;
            assert(triggered[j] == 1);
            status[j] = pending;
            if
            :: j == 1 && status[0] == pending -> waits_for_0 = true; ACKNOWLEDGE(j); goto idle
            :: else
            fi
        :: OWNS(j) && (status[j] == pending || status[j] == running)
        fi
    }
    MAY_DIE;

starts:
    atomic { /* script start */
        if
        :: !OWNS(j) -> goto idle
        :: OWNS(j) && ENDED(j) -> goto idle
        :: OWNS(j) && !ENDED(j) && cancelled[j] && SURE(j) -> outcome = failed; goto finishes
        :: OWNS(j) && !ENDED(j) && !(cancelled[j] && SURE(j)) -> status[j] = running; in_doubt[j] = true; sure = true
        fi
    }
    MAY_DIE;

    atomic { /* script renew */
        if
        :: OWNS(j) -> expired[j] = false
        :: else
        fi
    }

    /* One sync: lock, look for the row and at the clock, write, commit. Who is to end a job in doubt as failed looks for
     * the row too, since an earlier attempt may have committed; who finds its own lease over gives up, since it may have
     * been ended meanwhile. The model without either has runs in which a failed job has an effect. */
    atomic { transaction == NOBODY -> transaction = me; done = COMMITTED(j); late = LATE(j) }
    MAY_DIE;
    atomic {
        if
        :: done -> outcome = completed
        :: !done && !late && cancelled[j] && transaction == me -> outcome = failed
        :: !done && !late && transaction == me -> /* COMMIT; a cancel may be unseen */
            assert(!row[j]);
            row[j] = true;
            effects[j]++;
            assert(effects[j] == 1);
            outcome = completed
        :: !done && !late && transaction == me && drops < DROPS -> /* COMMIT, and its answer is lost */
            assert(!row[j]);
            row[j] = true;
            effects[j]++;
            assert(effects[j] == 1);
            drops++;
            sure = false;
            outcome = pending
        :: !done && failures < FAILURES -> failures++; outcome = pending
        :: !done && (late || transaction != me) -> outcome = pending /* too late, or the connection is lost */
        fi;
        if
        :: transaction == me -> transaction = NOBODY
        :: else
        fi
    }
    MAY_DIE;

    if
    :: outcome == pending ->
        atomic { /* script release */
            if
            :: !OWNS(j) -> goto idle
            :: OWNS(j) -> status[j] = pending; in_doubt[j] = !sure
            fi
        }
        MAY_DIE;
        goto starts
    :: else
    fi;

finishes:
    atomic { /* script finish */
        if
        :: !MAY_FINISH(j) -> goto idle
        :: MAY_FINISH(j) && ENDED(j) -> skip
        :: MAY_FINISH(j) && !ENDED(j) -> end_as(j, outcome)
        fi;
        if
        :: j == 0 && waits_for_0 && status[0] == failed && cancelled[0] ->
            /* its waiter goes on without it, as an entry of its own */
            waits_for_0 = false;
            entry[1] = unread;
            ACKNOWLEDGE(j);
            goto idle
        :: j == 0 && waits_for_0 && !(status[0] == failed && cancelled[0]) -> skip
        :: !(j == 0 && waits_for_0) -> ACKNOWLEDGE(j); goto idle
        fi
    }
    MAY_DIE;

settles:
    atomic { /* script settle */
        if
        :: !OWNS(j) -> goto idle
        :: OWNS(j) && waits_for_0 -> end_as(1, status[0]); waits_for_0 = false; ACKNOWLEDGE(0)
        :: OWNS(j) && !waits_for_0 -> ACKNOWLEDGE(0)
        fi
    }
    goto idle;

dies:
    alive[me] = false;
    goto born
}

/* Time: leases run out, and PostgreSQL ends the transaction of one that has died or sleeps. */
active proctype time()
{
end_time:
    do
    :: atomic { entry[0] == held && !expired[0] && !alive[owner[0]] -> expired[0] = true }
    :: atomic { entry[0] == held && !expired[0] && alive[owner[0]] && expiries < EXPIRIES -> expired[0] = true; expiries++ }
    :: atomic { entry[1] == held && !expired[1] && !alive[owner[1]] -> expired[1] = true }
    :: atomic { entry[1] == held && !expired[1] && alive[owner[1]] && expiries < EXPIRIES -> expired[1] = true; expiries++ }
    :: atomic { transaction != NOBODY && !alive[transaction] -> transaction = NOBODY }
    :: atomic { transaction != NOBODY && alive[transaction] && drops < DROPS -> transaction = NOBODY; drops++ }
    od
}

active proctype producer()
{
end_producer:
    atomic { /* script cancel */
        if
        :: !ENDED(0) -> cancelled[0] = true
        :: skip
        fi
    }
}

init { atomic { run worker(); run worker() } }

#define ALL_ENDED (ENDED(0) && ENDED(1) && entry[0] == gone && entry[1] == gone && announced[0] == 1 && announced[1] == 1 && triggered[0] == 1 && triggered[1] == 1)
ltl ends { <> ALL_ENDED }
