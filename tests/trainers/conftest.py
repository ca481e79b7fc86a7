collect_ignore_glob = ["*.py"]  # programs for other environments, run by tests/trainer_client/test_trainers.py
