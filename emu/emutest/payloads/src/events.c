/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * events: events, timers and task priority levels (7.1). Each step notes the
 * order of what ran as letters and compares it with the order that the
 * specification demands; the last line of output has them all. It takes no
 * load options.
 */

#include "lib.h"

static char order[256];
static u32 letters, step;

static void note(char c)
{
	if (letters < sizeof order - 1)
		order[letters++] = c;
	order[letters] = 0;
}

/* ran checks the letters noted since the last call. */
static void ran(const char *name, const char *want)
{
	if (equal(order + step, want)) {
		check(name, 1);
	} else {
		failed++;
		say("FAIL %s: got \"%s\", want \"%s\"\n", name, order + step, want);
	}
	note(' ');
	step = letters;
}

/* What a notification function is told through its context. */
struct told {
	char letter, after;
	event signal; /* signalled between letter and after, if not NULL */
	tpl level;    /* level at which it ran */
	u32 count;
};

static void on_event(event e, void *context)
{
	struct told *t = context;
	(void)e;
	note(t->letter);
	t->count++;
	t->level = BS->RaiseTPL(TPL_HIGH_LEVEL);
	BS->RestoreTPL(t->level);
	if (t->signal)
		BS->SignalEvent(t->signal);
	if (t->after)
		note(t->after);
}

static event make(u32 type, tpl level, struct told *t)
{
	event e = NULL;
	expect("CreateEvent", BS->CreateEvent(type, level, on_event, t, &e), SUCCESS);
	return e;
}

static void levels(void)
{
	struct told a = {.letter = 'a'}, b = {.letter = 'b'}, c = {.letter = 'c'}, d = {.letter = 'd'};
	event ea = make(EVT_NOTIFY_SIGNAL, TPL_CALLBACK, &a), eb = make(EVT_NOTIFY_SIGNAL, TPL_CALLBACK, &b);
	event ec = make(EVT_NOTIFY_SIGNAL, TPL_NOTIFY, &c), ed = make(EVT_NOTIFY_SIGNAL, TPL_NOTIFY, &d);

	BS->SignalEvent(ea);
	ran("signalled at TPL_APPLICATION: runs at once", "a");

	expect("RaiseTPL returns the old level", BS->RaiseTPL(TPL_NOTIFY), TPL_APPLICATION);
	BS->SignalEvent(eb);
	BS->SignalEvent(ea);
	BS->SignalEvent(ed);
	BS->SignalEvent(ec);
	BS->SignalEvent(eb);
	ran("nothing runs at TPL_NOTIFY", "");
	BS->RestoreTPL(TPL_CALLBACK);
	ran("TPL_NOTIFY first, in the order of signals", "dc");
	BS->RestoreTPL(TPL_APPLICATION);
	ran("then TPL_CALLBACK, each once", "ba");
	expect("ran at TPL_CALLBACK", a.level, TPL_CALLBACK);
	expect("ran at TPL_NOTIFY", d.level, TPL_NOTIFY);

	a.signal = ec;
	a.after = 'A';
	BS->SignalEvent(ea);
	ran("a higher level interrupts a notification", "acA");
	a.signal = eb;
	BS->SignalEvent(ea);
	ran("the same level waits for it", "aAb");
	a.signal = NULL;
	c.signal = eb;
	c.after = 'C';
	BS->SignalEvent(ec);
	ran("a lower level waits for it", "cCb");

	BS->RaiseTPL(TPL_HIGH_LEVEL);
	BS->SignalEvent(eb);
	BS->CloseEvent(eb);
	BS->RestoreTPL(TPL_APPLICATION);
	ran("a closed event is not notified", "");
	BS->CloseEvent(ea);
	BS->CloseEvent(ec);
	BS->CloseEvent(ed);
}

static void states(void)
{
	struct told w = {.letter = 'w'};
	event plain, bad, wait, signal;
	u64 index = 99;
	expect("CreateEvent of type 0", BS->CreateEvent(0, 0, NULL, NULL, &plain), SUCCESS);
	expect("CheckEvent before a signal", BS->CheckEvent(plain), NOT_READY);
	expect("SignalEvent", BS->SignalEvent(plain), SUCCESS);
	expect("SignalEvent again", BS->SignalEvent(plain), SUCCESS);
	expect("CheckEvent after a signal", BS->CheckEvent(plain), SUCCESS);
	expect("CheckEvent has cleared it", BS->CheckEvent(plain), NOT_READY);

	wait = make(EVT_NOTIFY_WAIT, TPL_CALLBACK, &w);
	expect("CheckEvent asks the waiter", BS->CheckEvent(wait), NOT_READY);
	w.signal = wait;
	expect("CheckEvent, the waiter signals", BS->CheckEvent(wait), SUCCESS);
	w.signal = NULL;
	expect("CheckEvent has cleared that too", BS->CheckEvent(wait), NOT_READY);
	ran("the waiter was asked each time", "www");
	w.signal = wait;
	event both[2] = {plain, wait};
	expect("WaitForEvent", BS->WaitForEvent(2, both, &index), SUCCESS);
	expect("WaitForEvent's index", index, 1);
	ran("WaitForEvent asked the waiter", "w");

	signal = make(EVT_NOTIFY_SIGNAL, TPL_CALLBACK, &w);
	w.signal = NULL;
	expect("CheckEvent of EVT_NOTIFY_SIGNAL", BS->CheckEvent(signal), INVALID_PARAMETER);
	both[1] = signal;
	expect("WaitForEvent of EVT_NOTIFY_SIGNAL", BS->WaitForEvent(2, both, &index), INVALID_PARAMETER);
	expect("its index", index, 1);
	expect("WaitForEvent of none", BS->WaitForEvent(0, both, &index), INVALID_PARAMETER);
	BS->RaiseTPL(TPL_CALLBACK);
	expect("WaitForEvent above TPL_APPLICATION", BS->WaitForEvent(1, both, &index), UNSUPPORTED);
	BS->RestoreTPL(TPL_APPLICATION);

	expect("CreateEvent without a function", BS->CreateEvent(EVT_NOTIFY_SIGNAL, TPL_CALLBACK, NULL, NULL, &bad), INVALID_PARAMETER);
	expect("CreateEvent of both kinds", BS->CreateEvent(EVT_NOTIFY_SIGNAL | EVT_NOTIFY_WAIT, TPL_CALLBACK, on_event, &w, &bad), INVALID_PARAMETER);
	expect("CreateEvent notified at TPL_APPLICATION", BS->CreateEvent(EVT_NOTIFY_SIGNAL, TPL_APPLICATION, on_event, &w, &bad), INVALID_PARAMETER);
	expect("CreateEvent to nowhere", BS->CreateEvent(0, 0, NULL, NULL, NULL), INVALID_PARAMETER);
	expect("SetTimer of no timer", BS->SetTimer(plain, TimerRelative, 1), INVALID_PARAMETER);
	BS->CloseEvent(plain);
	BS->CloseEvent(wait);
	BS->CloseEvent(signal);
}

static void timers(void)
{
	struct told p = {0}, q = {0};
	event plain, once, periodic, held;
	u64 index = 99;
	BS->CreateEvent(0, 0, NULL, NULL, &plain);
	expect("CreateEvent of a timer", BS->CreateEvent(EVT_TIMER, 0, NULL, NULL, &once), SUCCESS);
	expect("SetTimer to a bad type", BS->SetTimer(once, 3, 1), INVALID_PARAMETER);
	expect("SetTimer relative", BS->SetTimer(once, TimerRelative, 200000), SUCCESS);
	expect("a timer has not fired yet", BS->CheckEvent(once), NOT_READY);
	event both[2] = {plain, once};
	expect("WaitForEvent of a timer", BS->WaitForEvent(2, both, &index), SUCCESS);
	expect("the timer's index", index, 1);
	BS->Stall(60000);
	expect("a relative timer fires once", BS->CheckEvent(once), NOT_READY);
	expect("SetTimer to now", BS->SetTimer(once, TimerRelative, 0), SUCCESS);
	expect("WaitForEvent of now", BS->WaitForEvent(1, &once, &index), SUCCESS);
	expect("SetTimer, to be cancelled", BS->SetTimer(once, TimerRelative, 200000), SUCCESS);
	expect("SetTimer cancels", BS->SetTimer(once, TimerCancel, 0), SUCCESS);
	BS->Stall(60000);
	expect("a cancelled timer does not fire", BS->CheckEvent(once), NOT_READY);

	p.letter = 'p';
	periodic = make(EVT_TIMER | EVT_NOTIFY_SIGNAL, TPL_CALLBACK, &p);
	expect("SetTimer periodic", BS->SetTimer(periodic, TimerPeriodic, 100000), SUCCESS);
	for (int i = 0; i < 200 && p.count < 3; i++)
		BS->Stall(10000);
	BS->SetTimer(periodic, TimerCancel, 0);
	check("a periodic timer fires again and again", p.count >= 3);
	u32 count = p.count;
	BS->Stall(60000);
	expect("and not after it is cancelled", p.count, count);
	order[letters = step] = 0; /* how often it fired is not for the line of letters */

	q.letter = 'q';
	held = make(EVT_TIMER | EVT_NOTIFY_SIGNAL, TPL_CALLBACK, &q);
	BS->RaiseTPL(TPL_CALLBACK);
	BS->SetTimer(held, TimerRelative, 10000);
	BS->Stall(60000);
	ran("a timer's notification waits for the level", "");
	BS->RestoreTPL(TPL_APPLICATION);
	ran("and runs when it drops", "q");
	BS->CloseEvent(plain);
	BS->CloseEvent(once);
	BS->CloseEvent(periodic);
	BS->CloseEvent(held);
}

static void groups(void)
{
	static const guid group = {0x2f1e9b70, 0x51c3, 0x4d06, {0xa8, 0x1d, 0x63, 0x90, 0x0e, 0x7b, 0x42, 0xc5}};
	struct told a = {.letter = 'a'}, b = {.letter = 'b'}, c = {.letter = 'c'};
	event ea, eb, ec;
	expect("CreateEventEx", BS->CreateEventEx(EVT_NOTIFY_SIGNAL, TPL_CALLBACK, on_event, &a, &group, &ea), SUCCESS);
	expect("CreateEventEx at TPL_NOTIFY", BS->CreateEventEx(EVT_NOTIFY_SIGNAL, TPL_NOTIFY, on_event, &b, &group, &eb), SUCCESS);
	expect("CreateEventEx without a group", BS->CreateEventEx(EVT_NOTIFY_SIGNAL, TPL_NOTIFY, on_event, &c, NULL, &ec), SUCCESS);
	BS->RaiseTPL(TPL_HIGH_LEVEL);
	BS->SignalEvent(ea);
	BS->RestoreTPL(TPL_APPLICATION);
	ran("a group is signalled as one", "ba");
	BS->CloseEvent(eb);
	BS->SignalEvent(ea);
	ran("a closed member has left it", "a");
	BS->SignalEvent(ec);
	ran("an event without a group is alone", "c");
	BS->CloseEvent(ea);
	BS->CloseEvent(ec);
}

status efi_main(handle h, struct system_table *st)
{
	begin(h, st);
	levels();
	states();
	timers();
	groups();
	say("order: %s\n", order);
	return finish("events");
}
