module github.com/strongroom-dev/strongroom/testdata/pictures

go 1.26.0
