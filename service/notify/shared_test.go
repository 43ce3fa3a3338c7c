package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// fleet is many archives with one target, in virtual time.
type fleet struct {
	net *network
	all []*Notifier
}

// withFleet runs f with n archives that share their targets.
func withFleet(t *testing.T, n int, f func(t *testing.T, a *fleet)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		a, targets, log := &fleet{net: &network{}}, &Targets{}, &logbook{}
		var done []chan struct{}
		for i := range n {
			one, err := New([]string{"webhook+https://hook/x"}, Options{
				Archive: fmt.Sprintf("a%03d", i), Log: log.logger(), Transport: a.net, Targets: targets,
			})
			if err != nil {
				t.Fatal(err)
			}
			end := make(chan struct{})
			go func() { one.Run(ctx); close(end) }()
			a.all, done = append(a.all, one), append(done, end)
		}
		f(t, a)
		cancel()
		for _, end := range done {
			<-end
		}
	})
}

// messages are what arrived: the state and the number of archives of each.
func (a *fleet) messages() string {
	h := a.net.at("hook")
	a.net.mu.Lock()
	defer a.net.mu.Unlock()
	var b []string
	for _, p := range h.got {
		b = append(b, fmt.Sprintf("%s:%d", p.State, len(p.Archives)))
	}
	return strings.Join(b, " ")
}

// named are the archives in all messages with a state, sorted.
func (a *fleet) named(s State) (names []string) {
	h := a.net.at("hook")
	a.net.mu.Lock()
	defer a.net.mu.Unlock()
	for _, p := range h.got {
		if p.State == s {
			names = append(names, p.Archives...)
		}
	}
	slices.Sort(names)
	return names
}

const outage = "unreachable at s3"

// An outage of a provider is one message when all archives meet it at once, and few when they meet it one after the
// other. An operator with 500 archives would otherwise miss the message that matters. Each archive is named once.
func TestAnOutageIsFewMessages(t *testing.T) {
	t.Parallel()
	const archives = 500
	for spread, most := range map[time.Duration]int{0: 1, 10 * time.Minute: 6, time.Hour: 9} {
		withFleet(t, archives, func(t *testing.T, a *fleet) {
			for _, s := range []State{Failing, OK} {
				for _, n := range a.all {
					n.Update(Event{State: s, At: time.Now(), Cause: outage})
					time.Sleep(spread / archives)
				}
				hold(20 * time.Minute)
				if n := len(slices.Compact(a.named(s))); n != archives || len(a.named(s)) != archives {
					t.Errorf("spread over %v, %d archives are named as %s, in %d places", spread, n, s, len(a.named(s)))
				}
				time.Sleep(2 * time.Hour)
			}
			if n := len(strings.Fields(a.messages())); n > 2*most {
				t.Errorf("spread over %v, %d messages: %s", spread, n, a.messages())
			}
		})
	}
}

// Archives with other reasons, and damage, are not hidden in the message of an outage, and do not wait for it.
func TestOtherReasonsAreMessagesOfTheirOwn(t *testing.T) {
	t.Parallel()
	withFleet(t, 10, func(t *testing.T, a *fleet) {
		for round := range 4 { // the outage's pace is slow now
			a.all[round].Update(Event{State: Failing, Cause: outage})
			hold(20 * time.Minute)
		}
		a.all[7].Update(Event{State: Failing, Cause: "denied at s3"})
		a.all[8].Update(Event{State: Damaged})
		hold(firstWindow)
		if got := a.messages(); got != "failing:1 failing:1 failing:1 failing:1 failing:1 damaged:1" &&
			got != "failing:1 failing:1 failing:1 failing:1 damaged:1 failing:1" {
			t.Error(got)
		}
	})
}

// An archive that recovers, or that is found damaged, while its message waits for others, is not reported as failing.
func TestAMessageThatIsNotTrueAnyMoreIsNotSent(t *testing.T) {
	t.Parallel()
	withFleet(t, 4, func(t *testing.T, a *fleet) {
		for _, n := range a.all {
			n.Update(Event{State: Failing, Cause: outage})
		}
		hold(firstWindow / 2)
		a.all[0].Update(Event{State: OK})
		a.all[1].Update(Event{State: Damaged})
		hold(time.Minute)
		if got := a.messages(); got != "failing:2 damaged:1" {
			t.Error(got)
		}
		for _, n := range a.all[2:] { // the second message waits a minute
			n.Update(Event{State: OK})
		}
		a.all[1].Update(Event{State: Failing, Cause: outage})
		hold(time.Second)
		a.all[1].Update(Event{State: Damaged})
		hold(time.Hour)
		if got := a.messages(); got != "failing:2 damaged:1 ok:2" {
			t.Error(got)
		}
	})
}

// A target that is away gets the message of all archives when it is back.
func TestAnOutageAlsoOfTheTarget(t *testing.T) {
	t.Parallel()
	withFleet(t, 50, func(t *testing.T, a *fleet) {
		a.net.behave("hook", always(answer{status: 503}))
		for _, n := range a.all {
			n.Update(Event{State: Failing, Cause: outage})
		}
		hold(10 * time.Minute)
		a.net.behave("hook", always(answer{status: 200}))
		hold(time.Hour)
		if got := a.messages(); len(strings.Fields(got)) > 3 || len(slices.Compact(a.named(Failing))) != 50 {
			t.Error(got)
		}
	})
}

// The only archive of a target has no others to wait for, and a stop waits for none.
func TestOneArchiveDoesNotWait(t *testing.T) {
	t.Parallel()
	withFleet(t, 1, func(t *testing.T, a *fleet) {
		a.all[0].Update(Event{State: Failing, Cause: outage})
		hold(0)
		if got := a.messages(); got != "failing:1" {
			t.Error(got)
		}
	})
	withFleet(t, 2, func(t *testing.T, a *fleet) { // ends while a message waits
		a.all[0].Update(Event{State: Failing, Cause: outage})
		hold(time.Second)
	})
}

// A message for several archives names them, states how many there are, and stays within the limits of services.
func TestComposeForSeveral(t *testing.T) {
	t.Parallel()
	l := message{was: OK, others: []string{"b", "c"}, Event: Event{State: Failing, At: noon, Detail: "no answer"}}
	title, text := compose("a", l)
	if title != "strongroom: 3 archives are failing" || !strings.Contains(text, "The archives a, b, c have been failing since") ||
		!strings.Contains(text, "The first of them, a: no answer") {
		t.Errorf("%s\n%s", title, text)
	}
	for range 10_000 {
		l.others = append(l.others, strings.Repeat("é", maxName))
	}
	l.Detail = strings.Repeat(strings.Repeat("x", maxLine)+"\n", 10)
	_, text = compose(strings.Repeat("é", maxName), l)
	if n := utf8.RuneCountInString(text); n > 2000 || !strings.Contains(text, " more have been failing") {
		t.Errorf("%d characters: %s", n, text)
	}
}
