package azure

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

var (
	_ store.Thawer  = (*adapter)(nil)
	_ store.Freezer = (*adapter)(nil)
)

// tierOf parses the parameter access_tier: the tier of log content; empty: the account's.
func tierOf(a *cloud.Address) (blob.AccessTier, error) {
	v, ok := a.Params["access_tier"]
	if !ok {
		return "", nil
	}
	tiers := []blob.AccessTier{blob.AccessTierHot, blob.AccessTierCool, blob.AccessTierCold, blob.AccessTierArchive}
	for _, tier := range tiers {
		if v == string(tier) {
			return tier, nil
		}
	}
	return "", fmt.Errorf("parameter access_tier is %.40q; write one of %v", v, tiers)
}

// tierFor returns the access tier of a key, nil for the account's. Manifests, pages and the ledger keep that. The probe
// object that is stored like data is read back, so it is never archived.
func (s *adapter) tierFor(key string) *blob.AccessTier {
	isLog := strings.HasPrefix(key, manifest.DataPrefix) || strings.HasPrefix(key, manifest.BundlesPrefix)
	if s.tier == "" || !isLog && (!store.ProbesContent(key) || s.FrozenClass() != "") {
		return nil
	}
	return &s.tier
}

// FrozenClass implements store.Freezer.
func (s *adapter) FrozenClass() string { return frozenTier(string(s.tier)) }

// MayBeFrozen implements store.Thawer.
func (s *adapter) MayBeFrozen(class string) bool { return frozenTier(class) != "" }

// ThawTimes implements store.Thawer. Azure has two priorities: Standard takes up to 15 hours, and High less than one
// hour for objects below 10 GB (Microsoft, "Blob rehydration from the archive tier"). Objects move for good.
func (s *adapter) ThawTimes(string) []store.ThawTime {
	return []store.ThawTime{
		{Tier: store.ThawStandard, Longest: 15 * time.Hour},
		{Tier: store.ThawExpedited, Longest: time.Hour},
	}
}

// Thaw implements store.Thawer with Set Blob Tier, which moves an archived object to the hot tier. The service answers
// 202, and the properties have x-ms-archive-status: rehydrate-pending-to-hot until that is done. A second request for
// another tier is refused with 409 BlobBeingRehydrated (Microsoft, "Set Blob Tier"). The ETag stays the same.
func (s *adapter) Thaw(ctx context.Context, o store.Object, r store.ThawRequest) error {
	if err := cloud.CheckKey(o.Key); err != nil {
		return s.fail("thawing", o.Key, err)
	}
	priority := blob.RehydratePriorityStandard
	if r.Tier == store.ThawExpedited {
		priority = blob.RehydratePriorityHigh
	}
	out, err := s.client.NewBlobClient(s.Prefix+o.Key).SetTier(ctx, blob.AccessTierHot,
		&blob.SetTierOptions{RehydratePriority: &priority})
	if err == nil {
		err = acknowledged(out.RequestID, nil)
	}
	if err == nil || bloberror.HasCode(err, bloberror.BlobBeingRehydrated) {
		return nil
	}
	return s.fail("thawing", o.Key, fmt.Errorf("setting its tier: %w", err))
}

// isRehydrating reports whether an object is on its way out of the archive tier.
func isRehydrating(status *string) bool { return strings.HasPrefix(value(status), "rehydrate-pending") }
