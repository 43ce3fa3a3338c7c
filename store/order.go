package store

import "context"

type orderKey struct{}

// InOrder returns a context for operations that need a service that lists in the order of the keys. With it, List
// returns ErrUnordered for a service that does not. Otherwise List sorts what such a service returns, which takes
// the whole listing before the first object, in each call.
func InOrder(ctx context.Context) context.Context { return context.WithValue(ctx, orderKey{}, true) }

// WantsOrder reports whether ctx is one of InOrder.
func WantsOrder(ctx context.Context) bool { return ctx.Value(orderKey{}) != nil }
