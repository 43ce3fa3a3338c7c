package storecheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/store"
)

const (
	probeRacers = 16       // writers of one key
	raceRounds  = 64       // races in a store that is unproven
	probeLarge  = 17 << 20 // more than adapters send in one request
	probeReads  = 4        // attempts to read
	probeStale  = time.Hour
)

// raceName begins the names of the objects of completeAtOnce; a number follows.
const raceName = "race-"

// createOnly makes several writers create the same key at once, and then tries to overwrite an object. Each has a content
// of its own. So a Put that finds its object there has created it, and the answer to an attempt was lost.
func (p *probeRun) createOnly(ctx context.Context) Finding {
	advice := p.orAccept("a second writer, or an attacker, could replace stored objects; use a service that supports "+
		"If-None-Match", "create_only=false")
	var mu sync.Mutex
	var winners [][]byte
	var others []error
	var racers sync.WaitGroup
	for i := range probeRacers {
		content := p.text(fmt.Sprintf("race %d", i))
		racers.Go(func() {
			_, err := p.put(ctx, "race", content)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				winners = append(winners, content)
			case !errors.Is(err, store.ErrExists):
				others = append(others, err)
			}
		})
	}
	racers.Wait()
	accepted := store.Waives(p.bucket, store.CreateOnly)
	replaced := Finding{
		Result: Note, Detail: "an object can be replaced, as accepted in the URL",
		Advice: "allow only one host to write to this archive",
	}
	if len(winners) > 1 && accepted {
		return replaced
	}
	switch {
	case len(winners) > 1:
		return Fail(advice, "of %d writers of one object, %d succeeded", probeRacers, len(winners))
	case len(winners) == 0 && len(others) > 0:
		return WentWrong(others[0])
	case len(winners) == 0:
		return Fail(advice, "of %d writers of one object, none succeeded", probeRacers)
	case len(others) > 0:
		return WentWrong(others[0])
	}
	switch got, err := p.get(ctx, "race", 0, -1); {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return WentWrong(err)
	case err != nil:
		return Fail(advice, "the object of the writer that succeeded does not exist (%v)", err)
	case !bytes.Equal(got, winners[0]):
		return Fail(advice, "the object is not that of the writer that succeeded")
	}
	// A store without conditional writes can pass the race by chance; a second Put shows it.
	switch stored, err := p.put(ctx, "race", winners[0]); {
	case err == nil && !stored.Existed && accepted:
		return replaced
	case err != nil && !errors.Is(err, store.ErrExists):
		return WentWrong(err)
	case err != nil || !stored.Existed:
		return Fail(advice, "a second put of the same object does not find it (%v)", err)
	}
	if u, ok := p.bucket.(store.Unproven); ok {
		return p.completeAtOnce(ctx, u, advice)
	}
	return Pass("%d writers of one object, one winner", probeRacers)
}

// completeAtOnce lets writers of one object complete at the same moment, many times. A service that checks first and
// creates later lets two of them succeed only if they meet within that time, which can be microseconds.
func (p *probeRun) completeAtOnce(ctx context.Context, u store.Unproven, advice string) Finding {
	for round := range raceRounds {
		name := fmt.Sprintf("%s%02d", raceName, round)
		contents := make([][]byte, probeRacers)
		for i := range contents {
			contents[i] = p.text(fmt.Sprintf("%s %d", name, i))
		}
		created, err := u.CreateAtOnce(ctx, p.dir+name, contents)
		switch {
		case created > 1:
			return Fail(advice, "of %d writers that completed one object at the same moment, %d succeeded", probeRacers, created)
		case created == 1: // the others may also have been refused because of the conflict
		case err != nil:
			return WentWrong(err)
		default:
			return Fail(advice, "of %d writers that completed one object at the same moment, none succeeded", probeRacers)
		}
	}
	return Pass("%d writers of one object, one winner, in each of %d rounds", probeRacers, raceRounds+1)
}

// orAccept adds to an advice that the URL can accept a missing guarantee, if the store has a URL.
func (p *probeRun) orAccept(advice, parameter string) string {
	if _, ok := p.bucket.(store.Unproven); ok {
		return advice
	}
	return advice + ", or accept this in the URL (" + parameter + ")"
}

// large sends an object in parts, and then another one to the same key.
func (p *probeRun) large(ctx context.Context) Finding {
	const distrust = "do not use this store"
	content, other := bytes.Repeat([]byte("strongroom tries "), probeLarge/17), bytes.Repeat([]byte("strongroom tried "), probeLarge/17)
	if _, err := p.put(ctx, "large", content); err != nil {
		return WentWrong(err)
	}
	o, err := p.bucket.Stat(ctx, p.dir+"large")
	switch {
	case err != nil:
		return WentWrong(err)
	case o.Size != int64(len(content)):
		return Fail(distrust, "an object of %d bytes that was sent in parts has %d", len(content), o.Size)
	case o.CRC32C != nil && *o.CRC32C != sumsOf(content).CRC32C:
		return Fail(distrust, "the CRC-32C of an object that was sent in parts is wrong")
	}
	err = p.putOver(ctx, "large", other)
	switch {
	case err == nil && store.Waives(p.bucket, store.CreateOnly):
		return Finding{
			Result: Note, Detail: "a large object can be replaced, as accepted in the URL",
			Advice: "allow only one host to write to this archive",
		}
	case err == nil:
		return Fail(p.orAccept("use a service that supports If-None-Match for multipart uploads", "create_only=false"),
			"a large object was sent twice with different content, and the second replaced the first")
	case !errors.Is(err, store.ErrExists):
		return WentWrong(err)
	}
	switch got, err := p.get(ctx, "large", 0, -1); {
	case err != nil:
		return WentWrong(err)
	case !bytes.Equal(got, content):
		return Fail(distrust, "a large object reads back with other content")
	}
	return Pass("an object of %d MiB can be created, and cannot be replaced", probeLarge>>20)
}

// putOver puts other content under an existing key. If there is a service that can refuse it, the adapter's own
// check is bypassed.
func (p *probeRun) putOver(ctx context.Context, name string, content []byte) error {
	if service, ok := p.bucket.(store.FaultProbe); ok {
		return service.PutOverExisting(ctx, p.dir+name, content)
	}
	_, err := p.put(ctx, name, content)
	return err
}
