package gcs

import (
	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

var _ store.SurroundingsLister = (*adapter)(nil)

// Surroundings implements store.SurroundingsLister.
func (s *adapter) Surroundings() []store.Place {
	return cloud.Surroundings("gs", s.bucketName, s.Prefix, func(prefix string, w cloud.RedactedURL) store.Store {
		around := &adapter{
			RedactedURL: w, bucket: s.bucket, service: s.service, bucketName: s.bucketName, transport: s.transport,
			timeout: s.timeout, log: s.log, budget: s.budget, uploads: s.uploads,
		}
		around.seen.Store(s.seen.Load())
		around.read(prefix, s.Order)
		return around
	})
}
