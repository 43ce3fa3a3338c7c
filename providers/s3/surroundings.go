package s3

import (
	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

var _ store.SurroundingsLister = (*adapter)(nil)

// Surroundings implements store.SurroundingsLister. The places share what is known about the bucket.
func (s *adapter) Surroundings() []store.Place {
	return cloud.Surroundings("s3", s.bucketName, s.Prefix, func(prefix string, w cloud.RedactedURL) store.Store {
		around := &adapter{
			RedactedURL: w, settings: s.settings, client: s.client, bucketName: s.bucketName, timeout: s.timeout, log: s.log,
			parts: s.parts, unfinished: map[string]string{}, oldest: versionMemory{turn: make(chan struct{}, 1)}, transfer: s.transfer,
		}
		around.seen.Store(s.seen.Load())
		if known := s.oldest.known.Load(); known != nil {
			around.oldest.known.Store(known)
		}
		around.read(prefix, s.Order)
		return around
	})
}
