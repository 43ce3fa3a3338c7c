module github.com/strongroom-dev/strongroom/testdata/servers/testservers

go 1.26.0
