package objects

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
)

// EachAtOnce calls f with each element, several at a time, until one fails or the context ends.
func EachAtOnce[T any](ctx context.Context, atOnce int, all []T, f func(context.Context, T) error) error {
	return EachIndex(ctx, atOnce, len(all), func(ctx context.Context, i int) error { return f(ctx, all[i]) })
}

// EachIndex is EachAtOnce for the numbers from 0 up to n.
func EachIndex(ctx context.Context, atOnce, n int, f func(context.Context, int) error) error {
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i := range n {
		if running.Err() != nil {
			break
		}
		g.Go(func() error { return f(running, i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx) // the loop may have ended early
}

// EachIndex calls f with the numbers from 0 up to n, each with the slot of a file, until one fails or the context ends.
func (s *Slots) EachIndex(ctx context.Context, n int, f func(context.Context, int) error) error {
	g, running := errgroup.WithContext(ctx)
	for i := range n {
		if s.Acquire(running) != nil {
			break
		}
		g.Go(func() error {
			defer s.Release()
			return f(running, i)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx) // the loop may have ended early
}

// SortedKeys returns the keys of a map in their order.
func SortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
