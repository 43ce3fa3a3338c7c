package s3

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A real server encrypts as the URL requests, in one request and in parts. Checksums, comparisons and ranges
// work as without encryption.
func TestS3Encryption(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]types.ServerSideEncryption{
		"&ssetype=AES256":                types.ServerSideEncryptionAes256,
		"&ssetype=aws:kms&kmskeyid=test": types.ServerSideEncryptionAwsKms,
	} {
		t.Run(string(want), func(t *testing.T) {
			server := storetest.NewS3(t)
			b := open(t, server.URL+params, cloud.Options{}).(*adapter)
			for _, size := range []int{10, 2 << 20, cloud.SingleMax + 1} {
				key, content := fmt.Sprint("data/", size), bytes.Repeat([]byte("content "), size/8+1)[:size]
				for _, existed := range []bool{false, true} {
					if stored, err := storetest.PutBytes(t, b, key, content); err != nil || stored.Existed != existed {
						t.Fatalf("%s: %+v, %v", key, stored, err)
					}
				}
				h, err := server.Client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &server.Bucket, Key: b.key(key)})
				if err != nil || h.ServerSideEncryption != want {
					t.Errorf("%s is encrypted with %q, want %q (%v)", key, h.ServerSideEncryption, want, err)
				}
				if o, err := b.Stat(t.Context(), key); err != nil || o.CRC32C == nil || *o.CRC32C != storetest.SumsOf(content).CRC32C || o.Size != int64(size) {
					t.Errorf("Stat %s: %+v, %v", key, o, err)
				}
				if got := readAll(t, b, key, int64(size)-7, 5); got != string(content[size-7:size-2]) {
					t.Errorf("a range of %s: %q", key, got)
				}
			}
		})
	}
}
