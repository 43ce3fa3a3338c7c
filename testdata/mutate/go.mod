module github.com/strongroom-dev/strongroom/testdata/mutate

go 1.26.0
