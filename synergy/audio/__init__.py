"""Audio: files to waveforms (`reading`), waveforms to log-mel features (`features`).

Inside the package audio is 16 kHz mono float32. Only this package imports torchaudio.
"""
