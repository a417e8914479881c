def check_sdks(*_): pass
