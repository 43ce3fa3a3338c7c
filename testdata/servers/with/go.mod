module github.com/strongroom-dev/strongroom/testdata/servers/with

go 1.26.0
