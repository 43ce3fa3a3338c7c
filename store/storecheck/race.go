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
	probeLarge  = 17 << 20 // more than adapters send in one request
	probeReads  = 4        // attempts to read
	probeStale  = time.Hour
)

// createOnly makes several writers create the same key at once, and then tries to overwrite an object.
func (p *probeRun) createOnly(ctx context.Context) Finding {
	const advice = "a second writer, or an attacker, could replace stored objects; use a service that supports " +
		"If-None-Match, or accept this in the URL (create_only=false)"
	var mu sync.Mutex
	var winners [][]byte
	var others []error
	var racers sync.WaitGroup
	for i := range probeRacers {
		content := p.text(fmt.Sprintf("race %d", i))
		racers.Go(func() {
			stored, err := p.put(ctx, "race", content)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && !stored.Existed:
				winners = append(winners, content)
			case err == nil:
				others = append(others, errors.New("the store reports that another writer's object is the same"))
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
	return Pass("%d writers of one object, one winner", probeRacers)
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
		return Fail("use a service that supports If-None-Match for multipart uploads, "+
			"or accept this in the URL (create_only=false)",
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
