// Package encoding compresses and encrypts what is stored, and undoes both. It knows
// streams of bytes and the names of the encodings (manifest.Plain, Zstd, Age, ZstdAge),
// no store and no manifest.
//
//	budget, err := encoding.NewBudget(encoding.Limits{Scratch: dir}) // for the whole process
//	enc, err := encoding.New(encoding.Settings{Compression: "zstd", Recipients: keys, Budget: budget})
//	…
//	how, err := enc.Choose(file, size) // zstd where it pays, age where there are recipients
//	obj, err := enc.Encode(ctx, io.NewSectionReader(file, 0, size), size, how)
//	…
//	defer obj.Close()
//	// obj.Plain must be what was hashed before; obj is an io.ReaderAt of obj.Stored.Size bytes.
//
//	ids, err := encoding.LoadIdentities("key.txt")
//	…
//	plain := encoding.NewDecoder(ids...).Decode(stored, how, size, recipients)
//	defer plain.Close()
//
// # Keys
//
// An Encoder has public keys only: what it wrote it cannot read. Recipients are age's
// own, age1… and the post-quantum age1pq1… (not both: age refuses to mix them). SSH keys
// are not taken: their private halves mostly ask for a passphrase, which a restore at
// night cannot answer, and a header tells which SSH keys it is for.
//
// # The same twice
//
// The same content with the same settings and the same version of this program gives the
// same zstd bytes, and the same answer of Choose. Another version, of the compressing
// library too, may give others, and age gives others each time. So whoever finds an
// object under the key that it was about to make cannot compare: it reads that object
// back, decodes it, compares the plain content, and adopts the stored sums that it saw.
//
// # Memory
//
// Of the Encoders of a Budget: Limits.Memory for encoded objects that wait to be sent or are
// sent, and for each of Limits.Workers a compressor: about 10 MiB at level fastest, 20 at
// normal, 25 at better, 60 at best; one compressor more for each Encoder that has waited
// for ten seconds because others hang. Of a Decoder, for each stream that is read: less
// than 1 MiB, and for zstd the window, at most 8 MiB, whatever the stored bytes are.
//
// # What can be read
//
// A stream that is cut, has bytes after its end, or holds fewer or more bytes than the
// caller expects is ErrDamaged, and the last byte is not given out before the end has
// been seen. A stored stream of more than twice the plain size and 1 MiB is refused,
// whatever it decodes to, and so is an age header of more than 256 KiB. Several zstd
// frames, one after another, are one stream, as they are for "zstd -d", and skippable
// frames are skipped. A zstd window of more than 8 MiB is refused, the size that RFC 8878
// has every decoder support; no level here uses a larger one, nor does "zstd" up to -19.
package encoding
