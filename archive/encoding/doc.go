// Package encoding compresses and encrypts stored objects, and decodes them. It handles streams of
// bytes and the names of the encodings (manifest.Plain, Zstd, Age, ZstdAge), and neither stores nor
// manifests.
//
//	budget, err := encoding.NewBudget(encoding.Limits{Scratch: dir}) // for the whole process
//	enc, err := encoding.New(encoding.Settings{Compression: "zstd", Recipients: keys, Budget: budget})
//	…
//	how, err := enc.Choose(file, size) // zstd if it saves space, age if there are recipients
//	obj, err := enc.Encode(ctx, io.NewSectionReader(file, 0, size), size, how)
//	…
//	defer obj.Close()
//	// Compare obj.Plain with the expected hash; obj is an io.ReaderAt of obj.Stored.Size bytes.
//
//	ids, err := encoding.LoadIdentities(ctx, "key.txt")
//	…
//	plain := encoding.NewDecoder(ids...).Decode(stored, how, size, recipients)
//	defer plain.Close()
//
// # Keys
//
// An Encoder has only public keys, so it cannot read what it wrote. Recipients are age's own keys:
// age1… or the post-quantum age1pq1… (not both, since age refuses to mix them). SSH keys are not
// accepted, for two reasons: their private keys usually need a passphrase, which an unattended
// restore cannot enter, and an age header reveals for which SSH keys it is.
//
// # Reproducible results
//
// The same content with the same settings and the same version of this program gives the same zstd
// bytes and the same result of Choose. Another version of the program or of the compression library
// may give other bytes, and age gives other bytes each time. So a caller that finds an existing object
// under its key cannot compare stored bytes. It reads the object back, decodes it, compares the plain
// content, and adopts the stored checksums that it read.
//
// # Memory
//
// The Encoders of a Budget use Limits.Memory for encoded objects that are sent or wait to be sent,
// and one compressor for each of Limits.Workers. A compressor needs about 10 MiB at level fastest,
// 20 at normal, 25 at better and 60 at best. An Encoder that has waited for ten seconds for others
// uses one more compressor. A Decoder needs less than 1 MiB for each stream that is read, and for
// zstd the window, at most 8 MiB, regardless of the stored bytes.
//
// # Decoding limits
//
// A stream that is cut, has bytes after its end, or contains fewer or more bytes than the caller
// expects is ErrDamaged. The last byte is returned only after the end was reached. A stored stream
// larger than twice the plain size plus 1 MiB is refused, regardless of what it decodes to, and so is
// an age header over 256 KiB. Consecutive zstd frames are one stream, as they are for "zstd -d", and
// skippable frames are skipped. A zstd window over 8 MiB is refused: RFC 8878 recommends that every
// decoder supports 8 MiB. No level of this package uses a larger one, nor does "zstd" up to -19.
package encoding
