package s3

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

var (
	_ store.Thawer  = (*adapter)(nil)
	_ store.Freezer = (*adapter)(nil)
)

// The codes of RestoreObject, as the API reference of Amazon S3 has them ("RestoreObject", special errors).
const (
	codeInProgress = "RestoreAlreadyInProgress"              // 409
	codeNoCapacity = "GlacierExpeditedRetrievalNotAvailable" // 503, of the expedited tier alone
)

var thawTiers = map[store.ThawTier]types.Tier{
	store.ThawStandard: types.TierStandard, store.ThawBulk: types.TierBulk, store.ThawExpedited: types.TierExpedited,
}

// Thaw implements store.Thawer with RestoreObject. The service answers 202 to a new request, and 200 if it only changes
// how long an existing copy stays. An object of an intelligent tier moves for good: its request has no number of days
// (Amazon S3 User Guide, "Restoring an archived object").
func (s *adapter) Thaw(ctx context.Context, o store.Object, r store.ThawRequest) error {
	if err := cloud.CheckKey(o.Key); err != nil {
		return s.fail("thawing", o.Key, err)
	}
	in := &types.RestoreRequest{GlacierJobParameters: &types.GlacierJobParameters{Tier: thawTiers[r.Tier]}}
	if !isIntelligent(o.Class) {
		if r.Days < 1 || r.Days > math.MaxInt32 {
			return s.fail("thawing", o.Key, fmt.Errorf("a copy cannot be kept for %d days", r.Days))
		}
		in.Days = aws.Int32(int32(r.Days))
	}
	key := s.key(o.Key)
	err := s.atOldest(ctx, *key, func(id *string) error {
		_, err := s.client.RestoreObject(ctx, &s3.RestoreObjectInput{
			Bucket: &s.bucketName, Key: key, VersionId: id, RestoreRequest: in,
		}, s.eachWithin)
		return err
	})
	switch {
	case err == nil, isBeingThawed(err):
		return nil
	case apiCode(err) == codeNoCapacity:
		err = fmt.Errorf("%w: %w", store.ErrNoThawCapacity, err)
	}
	return s.fail("thawing", o.Key, fmt.Errorf("RestoreObject: %w", err))
}

// isBeingThawed reports whether a thaw was refused because one is under way. Some services have an own code for that.
func isBeingThawed(err error) bool {
	return statusOf(err) == http.StatusConflict && strings.HasSuffix(apiCode(err), codeInProgress)
}

// The classes from which objects must be thawed, and those of an intelligent tier's archive, which only a HEAD shows.
const (
	classGlacier     = string(types.StorageClassGlacier)
	classDeepArchive = string(types.StorageClassDeepArchive)
	archiveAccess    = string(types.ArchiveStatusArchiveAccess)
	deepAccess       = string(types.ArchiveStatusDeepArchiveAccess)
)

func isIntelligent(class string) bool { return class == string(types.StorageClassIntelligentTiering) }

// ThawTimes implements store.Thawer. The times are those of the documentation of RestoreObject. Of the classes of other
// services, no times are known; RestoreObject makes a temporary copy.
func (s *adapter) ThawTimes(class string) []store.ThawTime {
	const h = time.Hour
	standard := string(types.StorageClassStandard) // what a temporary copy costs
	switch class {
	case classGlacier:
		return []store.ThawTime{
			{Tier: store.ThawStandard, Longest: 5 * h, CopyClass: standard},
			{Tier: store.ThawBulk, Longest: 12 * h, CopyClass: standard},
			{Tier: store.ThawExpedited, Longest: 5 * time.Minute, CopyClass: standard},
		}
	case classDeepArchive:
		return []store.ThawTime{
			{Tier: store.ThawStandard, Longest: 12 * h, CopyClass: standard},
			{Tier: store.ThawBulk, Longest: 48 * h, CopyClass: standard},
		}
	case archiveAccess:
		return []store.ThawTime{
			{Tier: store.ThawStandard, Longest: 5 * h},
			{Tier: store.ThawBulk, Longest: 12 * h},
			{Tier: store.ThawExpedited, Longest: 5 * time.Minute},
		}
	case deepAccess:
		return []store.ThawTime{{Tier: store.ThawStandard, Longest: 12 * h}, {Tier: store.ThawBulk, Longest: 48 * h}}
	}
	var all []store.ThawTime
	for _, t := range store.ThawTiers() {
		all = append(all, store.ThawTime{Tier: t, CopyClass: standard})
	}
	return all
}

// MayBeFrozen implements store.Thawer. A listing does not show which objects of an intelligent tier are archived.
func (s *adapter) MayBeFrozen(class string) bool {
	return frozenClass(class) != "" || isIntelligent(class)
}

// FrozenClass implements store.Freezer.
func (s *adapter) FrozenClass() string { return frozenClass(string(s.class)) }

var expiryDate = regexp.MustCompile(`expiry-date="([^"]+)"`)

// noteThaw fills in how far the thaw of an object is. The header x-amz-restore has ongoing-request="true" while it is
// under way, and then ongoing-request="false" with the expiry-date of the copy (API reference, "HeadObject").
func noteThaw(o *store.Object, h *s3.HeadObjectOutput) {
	restore := aws.ToString(h.Restore)
	o.Frozen = frozenNow(h)
	o.Thawing = o.Frozen != "" && strings.Contains(restore, `ongoing-request="true"`)
	if o.Frozen != "" {
		return
	}
	if m := expiryDate.FindStringSubmatch(restore); m != nil {
		if until, err := http.ParseTime(m[1]); err == nil {
			o.ThawedUntil = until
		}
	}
}
