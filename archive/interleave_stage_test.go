package archive_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A stage is the store of one archive as a party has it.
type stage struct {
	p     *party
	o     *oracle
	fresh bool     // it lists objects as they are
	hold  *holding // nil: it works on what is at the address at each moment
}

// do waits for its turn, and acts on what is at the address then.
func (s stage) do(what string, act func(o *oracle) error) error {
	f := s.p.turn(s.o.name + " " + what)
	if f == crash {
		return errCrashed
	}
	if f == notApplied {
		return storetest.ErrInjected
	}
	o := s.hold.enter(s.o, s.p.w.address)
	if f == arrivesLate {
		s.p.w.startLate(s.p.name+"'s late "+what, func() error { return act(o) })
		return storetest.ErrInjected
	}
	err := act(o)
	if gone := s.hold.leave(o, s.p.w.address); gone != nil {
		return gone
	}
	if f == answerLost {
		return errors.Join(storetest.ErrInjected, err)
	}
	return err
}

// startLate lets something happen at any later moment, or never.
func (w *theatre) startLate(name string, do func() error) {
	w.start(name, func(_ context.Context, p *party) error {
		switch p.turn("it arrives") {
		case granted, answerLost:
			return do()
		}
		return errCrashed
	})
}

// Hold implements store.Holder.
func (s stage) Hold() (release func()) { return s.hold.begin() }

func (s stage) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (stored store.PutResult, err error) {
	err = s.do("put "+key, func(o *oracle) (err error) {
		stored, err = o.store.Put(ctx, key, body, sums)
		if err == nil && strings.HasPrefix(key, manifest.ManifestsPrefix) {
			s.p.made[o.name+key] = sums.SHA256
		}
		o.look(s.p.name + " put " + key)
		return err
	})
	return stored, err
}

func (s stage) Get(ctx context.Context, key string, offset, length int64) (r io.ReadCloser, err error) {
	err = s.do("get "+key, func(o *oracle) (err error) {
		r, err = o.store.Get(ctx, key, offset, length)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (s stage) Stat(ctx context.Context, key string) (found store.Object, err error) {
	err = s.do("stat "+key, func(o *oracle) (err error) {
		found, err = o.store.Stat(ctx, key)
		return err
	})
	return found, err
}

// List shows manifests and the ledger as they are, and the objects as they were at any
// earlier moment.
func (s stage) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		var from store.Store
		err := s.do("list "+prefix, func(o *oracle) error {
			from = o.store.Clone()
			content := []string{manifest.DataPrefix, manifest.BundlesPrefix, manifest.PagesPrefix}
			if !s.fresh && slices.ContainsFunc(content, func(c string) bool { return strings.HasPrefix(prefix, c) }) {
				from = o.earlier(s.p.w.rand)
			}
			return nil
		})
		if err != nil {
			yield(store.Object{}, err)
			return
		}
		for o, err := range from.List(ctx, prefix, delimiter, after) {
			if !yield(o, err) {
				return
			}
		}
	}
}

// Delete removes one key after the other, each at a time of its own.
func (s stage) Delete(ctx context.Context, objects []store.Object) error {
	ctx = context.WithoutCancel(ctx) // a request goes on when its caller has given up
	var errs []error
	for _, object := range objects {
		key := object.Key
		errs = append(errs, s.do("delete "+key, func(o *oracle) error {
			wasRight := o.isRight(key)
			err := o.store.Delete(ctx, []store.Object{object})
			if strings.HasPrefix(s.p.name, "repair ") && wasRight && !o.isRight(key) {
				s.p.w.t.Errorf("%s deleted %s, which was right", s.p.name, key)
			}
			o.look(s.p.name + " deleted " + key)
			return err
		}))
	}
	return errors.Join(errs...)
}
