module github.com/strongroom-dev/strongroom/bench

go 1.26.0

require github.com/aws/aws-sdk-go-v2 v1.47.7

require (
	filippo.io/age v1.3.2
	github.com/klauspost/compress v1.20.3
	golang.org/x/crypto v0.58.0
	golang.org/x/sys v0.49.0
)

require (
	filippo.io/hpke v0.4.0 // indirect
	github.com/aws/smithy-go v1.28.8 // indirect
)
